"""The stage `profiled_source`: what the cohort's raw rows hold, measured, judged by four dimensions, and shown.

`measure.profile_tables` makes a `model.Profile` (four Arrow tables); `report` shows one. Nothing is changed here.
"""
