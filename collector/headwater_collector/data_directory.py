"""Where a collector keeps its things; apart, so that a command about one of them need not load all the others."""

from platformdirs import user_data_path

from headwater_analysis.settings import Option

DATA = Option(
    "data", "Directory of store, log and tokens; made if absent.", user_data_path("headwater"), "path"
)
