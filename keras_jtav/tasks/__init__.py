"""The two jobs of the unified vector: sentiment and retrieval."""

from keras_jtav.tasks.logit_loss import LogitLoss as LogitLoss
from keras_jtav.tasks.retrieval import build_retrieval
from keras_jtav.tasks.sentiment import build_sentiment

TASKS = {"sentiment": build_sentiment, "retrieval": build_retrieval}
