//! `stockade ralph`, and what is done with its runs.
//!
//! What is tested here stands on sandboxes, which other modules test on each release. `tests/bench/run.sh` runs it on the
//! oldest and on the newest release, on the others when the whole matrix is asked for.

mod accepted; // what becomes of a run: trusted, accepted, forgotten
mod afterwards; // runs that were cut off, runs beside each other, and what is done with one that has ended
mod agent_image; // the image of an agent that says what it is installed on
mod agents; // agents that Stockade knows: how they are started, and what they mean
mod begun; // `ralph -d` until the first iteration
mod boot; // `ralph --survive-reboot`: what is called at boot
mod checked; // checks that do not end by themselves, tests of which less was made, a directory of the person's
mod chosen; // which run and which paths are meant
mod committed; // a run's work as a commit in the person's repository
mod configured; // what a directory asks for, and what it may have
mod containerfile; // `ralph` without an image: what was built from the Containerfile here
mod copied; // `ralph --workspace copy`, and workspaces that are only read
mod endurance; // what is looked at each minute
mod failing; // a service that fails at what it is asked for
mod homes; // the home of an agent, which lasts as long as the run
mod hostile; // a tree that is made to do harm, all the way
mod in_place; // what stands in the place of a file that a run reads
mod kept; // what checkpoints hold, and what an agent may not change
mod looking; // a diff that is watched, a pager, how many checkpoints are kept
mod meanwhile; // checkpoints while the agent works
mod night; // `stockade ralph`: a scripted agent, again and again
mod nouns; // verbs that take a container or a run
mod output; // what is kept and shown of what an agent says
mod planted; // what an agent may have left in a workspace, and workspaces that nobody may have
mod prompts; // what a person is told of a prompt and a promise, and what the agent gets of it
mod reported; // what the report of a run says, by how it ended
mod repository; // `ralph --git`, and what an agent leaves at the top
mod secret_values; // the value of a secret is in no checkpoint, no check and no record
mod steps; // a run that asks between iterations
mod story; // a whole night, at terminals
mod submodules; // `ralph --git` with repositories inside the workspace's
mod verified; // what a run's verdict rests on, and the way back
