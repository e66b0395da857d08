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
		switch fn := n.(type) { // rapid's Skip discards one of many generated cases
		case *ast.FuncLit:
			if takesRapid(fn.Type) {
				return false
			}
		case *ast.FuncDecl:
			if takesRapid(fn.Type) {
				return false
			}
		}
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

// takesRapid says whether a function's first parameter is a *rapid.T.
func takesRapid(fn *ast.FuncType) bool {
	if len(fn.Params.List) == 0 {
		return false
	}
	star, ok := fn.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "rapid"
}
