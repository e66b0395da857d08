package layout

import (
	"go/ast"
	"go/token"
	"slices"
)

type use struct {
	name string
	pos  token.Pos
}

// clockUses finds calls that read the clock or start a timer.
func clockUses(f *ast.File) []use {
	return selectors(f, []string{"time"},
		"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep")
}

// skipUses finds tests that skip by themselves.
func skipUses(f *ast.File) []use {
	return selectors(f, []string{"t", "tb", "b"}, "Skip", "Skipf", "SkipNow")
}

// selectors finds x.name for the given identifiers and names.
func selectors(f *ast.File, idents []string, names ...string) []use {
	var found []use
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if ok && slices.Contains(idents, x.Name) && slices.Contains(names, sel.Sel.Name) {
			found = append(found, use{x.Name + "." + sel.Sel.Name, sel.Pos()})
		}
		return true
	})
	return found
}
