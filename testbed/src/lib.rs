//! Real systems for tests, built from package registries: Apache Kafka.
