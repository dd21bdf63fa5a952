//! From a script to a finished video.
