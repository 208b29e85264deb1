//! Access rules of topics: clients of the plain listener (`User:ANONYMOUS`) are shut out of one and let in again.

use super::{
    Kafka,
    admin::TOPIC,
    wire::{Answer, Body, Kind, Skip},
};
use crate::Result;

const DESCRIBE_ACLS: Kind = Kind { name: "DescribeAcls", key: 29, version: 1 };
const CREATE_ACLS: Kind = Kind { name: "CreateAcls", key: 30, version: 1 };
const DELETE_ACLS: Kind = Kind { name: "DeleteAcls", key: 31, version: 1 };

const LITERAL: i8 = 3;
const DENY: i8 = 2;
const ALLOW: i8 = 3;

/// What a rule is about, by Kafka's numbers.
#[derive(Debug, Clone, Copy)]
enum Operation {
    All = 2,
    Read = 3,
    Write = 4,
}

/// A rule for one topic.
#[derive(Debug, Clone, Copy)]
struct Rule<'a> {
    topic: &'a str,
    principal: &'static str,
    operation: Operation,
    permission: i8,
}

impl Kafka {
    /// Refuses what clients write to a topic from now on.
    pub fn deny_write(&self, topic: &str) -> Result<()> {
        self.deny(topic, Operation::Write)
    }

    /// Accepts again what clients write to a topic.
    pub fn allow_write(&self, topic: &str) -> Result<()> {
        self.allow(topic, Operation::Write)
    }

    /// Refuses to let clients read a topic from now on.
    pub fn deny_read(&self, topic: &str) -> Result<()> {
        self.deny(topic, Operation::Read)
    }

    /// Lets clients read a topic again.
    pub fn allow_read(&self, topic: &str) -> Result<()> {
        self.allow(topic, Operation::Read)
    }

    fn deny(&self, topic: &str, operation: Operation) -> Result<()> {
        // A topic with any rule is closed to what no rule allows: open all of it before closing one part.
        self.add(Rule {
            topic,
            principal: "User:*",
            operation: Operation::All,
            permission: ALLOW,
        })?;
        self.add(Rule { topic, principal: "User:ANONYMOUS", operation, permission: DENY })
    }

    fn allow(&self, topic: &str, operation: Operation) -> Result<()> {
        let rule = Rule { topic, principal: "User:ANONYMOUS", operation, permission: DENY };
        let mut body = Body::default();
        body.list(&[rule], write_rule);
        self.change(DELETE_ACLS, topic, &body, |answer| {
            let verdict = (answer.i16()?, answer.text()?);
            answer.list(|matched| {
                matched.skip(&[Skip::I16, Skip::Text, Skip::I8, Skip::Text, Skip::I8])?;
                read_rule(matched)
            })?;
            Ok(verdict)
        })?;
        self.until(DELETE_ACLS, topic, || Ok(!self.has(rule)?))
    }

    fn add(&self, rule: Rule<'_>) -> Result<()> {
        let mut body = Body::default();
        body.list(&[rule], write_rule);
        self.change(CREATE_ACLS, rule.topic, &body, |answer| Ok((answer.i16()?, answer.text()?)))?;
        self.until(CREATE_ACLS, rule.topic, || self.has(rule))
    }

    /// Whether the broker goes by this rule.
    fn has(&self, rule: Rule<'_>) -> Result<bool> {
        let mut body = Body::default();
        write_rule(&mut body, &rule);
        self.ask(DESCRIBE_ACLS, &body, |answer| {
            answer.skip(&[Skip::I32, Skip::I16, Skip::Text])?; // throttling, error
            let topics = answer.list(|topic| {
                topic.skip(&[Skip::I8, Skip::Text, Skip::I8])?;
                topic.list(read_rule)
            })?;
            Ok(topics.iter().any(|rules| !rules.is_empty()))
        })
    }
}

/// A rule and a filter that matches only it are written alike.
fn write_rule(body: &mut Body, rule: &Rule<'_>) {
    body.i8(TOPIC).text(rule.topic).i8(LITERAL).text(rule.principal).text("*");
    body.i8(rule.operation as i8).i8(rule.permission);
}

fn read_rule(answer: &mut Answer) -> std::io::Result<()> {
    answer.skip(&[Skip::Text, Skip::Text, Skip::I8, Skip::I8])
}
