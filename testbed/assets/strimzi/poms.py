"""Changes Strimzi's Maven files so that its operators compile alone.

poms.py source FOLDER     changes the files of a source tree: nothing that only tests need, nothing unpublished
poms.py libraries FILE    prints FILE, which lists what the Kafka image has beside Kafka, without what a plain
                          broker does not load
"""

import pathlib
import re
import sys

MODULES = """topic-operator user-operator cluster-operator kafka-init kafka-agent tracing-agent operator-common api
config-model config-model-generator crd-generator crd-annotations certificate-issuer""".split()
DEPENDENCY = re.compile(r"[ \t]*<dependency>(?:(?!<dependency>).)*?</dependency>\n?", re.DOTALL)
# What a broker of one node with its operators needs: the layout of its logs, and what reads settings from Secrets.
LIBRARIES = ("log4j-layout-template-json", "kafka-kubernetes-config-provider", "jackson-datatype-jsr310")


def field(dependency, name):
    """The text of an element of a dependency, if it has it."""
    found = re.search(rf"<{name}>(.*?)</{name}>", dependency)
    return found and found.group(1)


def replace_once(text, old, new):
    """Replaces what must be there once, so that another snapshot is noticed here and not as a riddle of Maven."""
    if text.count(old) != 1:
        sys.exit(f"this is not the Strimzi that is known here: {old!r} is there {text.count(old)} times")
    return text.replace(old, new)


def root(text):
    """The changes of the file that all modules share."""
    # From JDK 23 on annotations are processed only if that is asked for.
    compiler = "<version>${maven.compiler.version}</version>\n                    <executions>"
    processing = "<configuration><proc>full</proc></configuration>\n                    <executions>"
    text = replace_once(text, compiler, compiler.replace("<executions>", processing))
    # These two are published with the client for OpenShift, under its version.
    for artifact, family in (("openshift-model", "kubernetes-model"), ("openshift-client-api", "kubernetes-client")):
        named = f"<artifactId>{artifact}</artifactId>\n                <version>${{fabric8.{family}.version}}</version>"
        text = replace_once(text, named, named.replace(family, "openshift-client"))
    return text


def source(folder):
    """Changes the files of a source tree."""
    top = folder / "pom.xml"
    text = top.read_text()
    managed = [it for it in DEPENDENCY.findall(text) if field(it, "scope") == "test" and not field(it, "classifier")]
    of_tests = {field(it, "artifactId") for it in managed}
    top.write_text(root(text))

    def kept(match):
        dependency = match.group(0)
        scope = field(dependency, "scope")
        is_of_tests = scope == "test" or (scope is None and field(dependency, "artifactId") in of_tests)
        return "" if is_of_tests else dependency

    for module in MODULES:
        path = folder / module / "pom.xml"
        path.write_text(DEPENDENCY.sub(kept, path.read_text()))


def libraries(file):
    """Prints the list of libraries without those that are not needed."""
    text = re.sub(r"<repositories>.*?</repositories>", "", file.read_text(), flags=re.DOTALL)

    def kept(match):
        return match.group(0) if field(match.group(0), "artifactId") in LIBRARIES else ""

    print(DEPENDENCY.sub(kept, text), end="")


if __name__ == "__main__":
    command, path = sys.argv[1:]
    {"source": source, "libraries": libraries}[command](pathlib.Path(path))
