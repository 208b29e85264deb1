//! The Kafka source: every record of the topic of single records is in the topic of batches; whatever happens.

mod beyond;
mod damage;
mod ends;
mod keys;
mod kills;
mod logins;
mod lost_end;
mod members;
mod outage;
mod recreation;
mod rows;
mod stage;
