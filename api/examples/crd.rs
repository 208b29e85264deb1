//! Prints the `CustomResourceDefinition`, as the chart holds it.

fn main() {
    print!("{}", batchpipe_api::schema::crd_yaml());
}
