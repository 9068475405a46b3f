import itertools

import numpy as np

from keras_jtav.attribution.shapley import coalitions, shapley_values


def by_orders(players, reached):
    """Average what a player adds over all orders of joining."""
    shares = dict.fromkeys(players, 0.0)
    orders = list(itertools.permutations(range(len(players))))
    for order in orders:
        present = np.zeros(len(players), bool)
        for index in order:
            before = reached(present)
            present[index] = True
            shares[players[index]] += (reached(present) - before) / len(orders)
    return shares


def test_they_are_the_mean_over_all_orders():
    players = ["a", "b", "c", "d"]
    table = np.random.default_rng(0).normal(size=(2, 2, 2, 2))

    def reached(present):
        return table[tuple(present.astype(int))]

    shares = shapley_values(players, np.array([reached(r) for r in coalitions(4)]))
    expected = by_orders(players, reached)
    for player in players:
        assert abs(shares[player] - expected[player]) < 1e-12
    assert abs(sum(shares.values()) - (table[1, 1, 1, 1] - table[0, 0, 0, 0])) < 1e-12


def test_a_player_who_adds_nothing_gets_nothing():
    shares = shapley_values(["used", "unused"], coalitions(2)[:, 0] * 3.0)
    assert shares == {"used": 3.0, "unused": 0.0}


def test_players_who_need_each_other_share():
    shares = shapley_values(["a", "b"], coalitions(2).all(axis=1) * 1.0)
    assert shares == {"a": 0.5, "b": 0.5}
