from keras_jtav.service.refusal import Refusal, shown


def test_a_refusal_is_the_clients_fault_unless_it_says_otherwise():
    assert Refusal("no").status == 400


def test_long_values_are_cut():
    assert shown("short") == "'short'"
    assert len(shown("x" * 10**6)) == 60
    assert len(shown([1] * 1000)) == 60
