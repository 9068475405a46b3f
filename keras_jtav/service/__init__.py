"""A service over exported models: requests in several protocols, limits, a server.

What does not need KServe: what a model takes (``served_model``), the three forms of a
request (``rows_and_columns``, ``tensors``, ``predict_messages``), limits and threads.
The rest puts KServe's server around them (extra ``[serve]``).
"""
