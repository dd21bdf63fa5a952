//! The videos context from outside: pages and scripts in, scenes out.

mod languages;
mod web;
