import numpy as np

from keras_jtav.layers import OuterProduct


def test_equals_the_products_one_by_one(rng):
    vectors = [rng.normal(size=(3, dim)).astype("float32") for dim in (2, 3, 4)]
    with_one = [np.insert(vector, 0, 1, axis=1) for vector in vectors]
    expected = [
        [x * y * z for x in xs for y in ys for z in zs]
        for xs, ys, zs in zip(*with_one, strict=True)
    ]
    np.testing.assert_allclose(OuterProduct()(vectors), expected, rtol=1e-5)


def test_one_vector_only_gets_its_one():
    product = OuterProduct()([np.array([[4.0, 5.0]])])
    np.testing.assert_array_equal(product, [[1, 4, 5]])


def test_contract(check_contract, rng):
    vectors = [rng.normal(size=(4, dim)).astype("float32") for dim in (2, 5)]
    check_contract(OuterProduct(), vectors=vectors)
