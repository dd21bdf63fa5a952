//! Many servers behind one address: balancing, health, scaling, switching to a new version.
