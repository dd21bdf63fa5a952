//! Stages whose results are kept: an artifact that exists is never made again.
