"""Run -> figures of a cascade, which a network alone has not. `figures.py` has all others."""

from mcusim.tasks.figure import Budget, Figure, Row, decimals, percent

CASCADE = (
    Row("cascade", "where a second network is asked when the first is not sure (docs/cascade.md); null of one network"),
    Row("cascade.networks", "the two models"),
    Figure(
        "cascade.threshold",
        "the second network is asked where the largest number of the first one's answer is less than so much above its "
        "second largest, in real units",
    ),
    Figure(
        "cascade.went_on",
        "share of the test samples of which the second network was asked; from the outputs of the first, `Graph.run`",
        unit="share",
        word="went on",
        heading="went on %",
        show=percent,
        better="lower",
        budget=Budget("went_on_max", "share", lacks="cascade", doc="share of samples that a second network sees"),
    ),
    Figure(
        "cascade.latency_p95_ms",
        "95 % of the test samples take no longer: each way through the firmware is timed for itself, and its timed "
        "samples stand for all that take it; null without cycles",
        unit="ms",
        word="p95 of the latency",
        heading="p95 ms",
        show=decimals(2),
        better="lower",
        budget=Budget("latency_p95_ms_max", "positive", lacks="cascade", doc="ms that 95 % of samples keep"),
    ),
    Figure(
        "cascade.latency_worst_ms",
        "of the slowest timed sample; null likewise",
        unit="ms",
        word="worst latency",
        heading="worst ms",
        show=decimals(2),
        better="lower",
        budget=Budget("latency_worst_ms_max", "positive", lacks="cascade", doc="ms of the slowest sample"),
    ),
)
