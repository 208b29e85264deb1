//go:build tools

// Package tools names the commands of this module, so that go.sum covers them.
package tools

import _ "go.etcd.io/etcd/server/v3"
