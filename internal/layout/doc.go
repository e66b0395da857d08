// Package layout holds the test that guards the direction of imports: which
// package may know which other, and which third-party package may appear where.
// The rules are a table in imports_test.go; docs/architecture.md explains them.
package layout
