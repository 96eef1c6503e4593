"""Looking on, while the engine does its work: nothing here is needed to train, and nothing below knows of it.

explain.py, spelled.py   an op explained: formula, source, its gradient checked with the numbers shown
tracing/                 a step op by op: a table, the tape drawn, a flame chart
watch.py                 what layers hold and hear, as moving pictures
diagnosis.py             where the first NaN came from
gradcheck_table.py       every op against finite differences
"""
