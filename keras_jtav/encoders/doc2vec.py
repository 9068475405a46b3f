"""doc2vec, the text baseline of Table 1 that is trained before the network."""

from __future__ import annotations

import keras

from keras_jtav.features.spec import FeatureSpec


def build_doc2vec(spec: FeatureSpec) -> keras.Model:
    """Return the vectors of ``features/documents.py`` as they are, without weights.

    gensim infers them outside of the graph, once for each data set. So they are
    features, and a model that reads them cannot be exported.

    Args:
        spec: Sizes of the features; ``document_dim`` is used.

    Returns:
        Model from ``document`` float (batch, document_dim), in a dict, to the same.

    Raises:
        ValueError: Features without vectors of documents.

    Source:
        Le and Mikolov 2014; JTAV Sec. 4.1 (doc2vec).
    """
    if not spec.document_dim:
        raise ValueError(
            "The encoder `text=doc2vec` reads vectors of whole texts, and none are "
            "made. Add `features.document_dim=100`."
        )
    document = keras.Input((spec.document_dim,), name="document")
    return keras.Model({"document": document}, keras.layers.Identity()(document))
