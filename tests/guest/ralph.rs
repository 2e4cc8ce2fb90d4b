//! `stockade ralph` where limits hold. `tests/bench/run.sh` runs it in the first and in the last guest, in the others when
//! the whole matrix is asked for.

mod awake; // machines that sleep or must not, users who log out
mod frozen; // checkpoints of a workspace whose agent is paused for them
mod full; // a run whose disk is full
