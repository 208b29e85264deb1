//! What holds for the whole process, from flags and the environment. Plain values; nothing here reads anything.

/// The field manager of everything that is applied, and the value of `app.kubernetes.io/managed-by`.
pub const FIELD_MANAGER: &str = "batchpipe-operator";

/// Settings of one operator process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The image of pods whose pipeline names none.
    pub workload_image: String,
    /// The namespace that the operator runs in: its pods may reach the admin ports of ours.
    pub operator_namespace: String,
    /// A namespace whose pods may scrape the admin ports; empty: none but the operator's.
    pub monitoring_namespace: Option<String>,
    /// The namespaces whose pipelines are looked after; empty: all.
    pub watch_namespaces: Vec<String>,
}
