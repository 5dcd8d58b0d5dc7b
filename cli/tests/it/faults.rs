//! The fault table: whatever breaks, the command's output and exit code are its own, and once all is well again
//! `otrace sync` brings the server every byte, once.
//!
//! [`network`] breaks each call in each way, [`kills`] kills `otrace` at each call, [`servers`] the server, [`disks`]
//! has them filled up, and [`power`] cut off. [`recording`] is the command whose bytes are known, and what is
//! expected of the server; [`proxy`] is what breaks.

mod disks;
mod kills;
mod message;
mod mounts;
mod network;
mod power;
mod proxy;
mod real_server;
mod recording;
mod servers;
