//! Access rules: clients of the plain listener (`User:ANONYMOUS`) are shut out of a topic and let in again, and
//! users are granted what they may do.

use super::{
    Kafka,
    admin::TOPIC,
    wire::{Answer, Body, Kind, Skip},
};
use crate::Result;

const DESCRIBE_ACLS: Kind = Kind { name: "DescribeAcls", key: 29, version: 1 };
const CREATE_ACLS: Kind = Kind { name: "CreateAcls", key: 30, version: 1 };
const DELETE_ACLS: Kind = Kind { name: "DeleteAcls", key: 31, version: 1 };

/// The resource type of groups.
const GROUP: i8 = 3;
const LITERAL: i8 = 3;
const DENY: i8 = 2;
const ALLOW: i8 = 3;

/// What a rule is about, by Kafka's numbers.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// Whatever can be done.
    All = 2,
    /// Reading; of a group, being its member.
    Read = 3,
    /// Writing.
    Write = 4,
}

/// What a rule opens or closes.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// A topic.
    Topic(&'a str),
    /// A consumer group.
    Group(&'a str),
}

impl<'a> Resource<'a> {
    const fn kind(self) -> i8 {
        match self {
            Self::Topic(_) => TOPIC,
            Self::Group(_) => GROUP,
        }
    }

    const fn name(self) -> &'a str {
        match self {
            Self::Topic(name) | Self::Group(name) => name,
        }
    }
}

/// A rule for one topic or group.
#[derive(Debug, Clone, Copy)]
struct Rule<'a> {
    resource: Resource<'a>,
    principal: &'a str,
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

    /// Lets a user do something from now on.
    pub fn grant(&self, user: &str, operation: Operation, resource: Resource<'_>) -> Result<()> {
        let principal = &format!("User:{user}");
        self.add(Rule { resource, principal, operation, permission: ALLOW })
    }

    fn deny(&self, topic: &str, operation: Operation) -> Result<()> {
        let resource = Resource::Topic(topic);
        // A topic with any rule is closed to what no rule allows: open all of it before closing one part.
        self.add(Rule {
            resource,
            principal: "User:*",
            operation: Operation::All,
            permission: ALLOW,
        })?;
        self.add(Rule { resource, principal: "User:ANONYMOUS", operation, permission: DENY })
    }

    fn allow(&self, topic: &str, operation: Operation) -> Result<()> {
        let resource = Resource::Topic(topic);
        let rule = Rule { resource, principal: "User:ANONYMOUS", operation, permission: DENY };
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
        let name = rule.resource.name();
        self.change(CREATE_ACLS, name, &body, |answer| Ok((answer.i16()?, answer.text()?)))?;
        self.until(CREATE_ACLS, name, || self.has(rule))
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
    body.i8(rule.resource.kind()).text(rule.resource.name()).i8(LITERAL);
    body.text(rule.principal).text("*");
    body.i8(rule.operation as i8).i8(rule.permission);
}

fn read_rule(answer: &mut Answer) -> std::io::Result<()> {
    answer.skip(&[Skip::Text, Skip::Text, Skip::I8, Skip::I8])
}
