import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A file of the project, its path from the root with `/`. */
export interface TextFile {
  readonly path: string
  readonly text: string
}

const LEFT_OUT = /(^|\/)(node_modules|dist|coverage|package-lock\.json|\.cache)(\/|$)/

/** The files under these folders, and these files, where they exist. */
export function textFiles(...roots: readonly string[]): TextFile[] {
  return roots.flatMap((name) => {
    const stat = statSync(join(root, name), { throwIfNoEntry: false })
    if (!stat) return []
    if (stat.isFile()) return [{ path: name, text: readFileSync(join(root, name), 'utf8') }]
    return readdirSync(join(root, name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length).split(sep).join('/'))
      .filter((path) => !LEFT_OUT.test(path))
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
  })
}

export interface SourceFile extends TextFile {
  readonly tree: ts.SourceFile
}

export const typescriptFiles = (...roots: readonly string[]): SourceFile[] =>
  textFiles(...roots)
    .filter(({ path }) => path.endsWith('.ts'))
    .map((file) => ({ ...file, tree: ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true) }))

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  node.forEachChild((child) => walk(child, visit))
}

export interface Import {
  readonly from: string
  /** A path from the root without its ending, or a package's name. */
  readonly to: string
  readonly inside: boolean
  /** Imported names; empty for a whole module. */
  readonly names: readonly string[]
}

function specifier(node: ts.Node): ts.Expression | ts.TypeNode | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return node.arguments[0]
  if (ts.isImportTypeNode(node)) return node.argument
  return undefined
}

function textOf(node: ts.Expression | ts.TypeNode): string | null {
  const literal = ts.isLiteralTypeNode(node) ? node.literal : node
  return ts.isStringLiteralLike(literal) ? literal.text : null
}

function namesOf(node: ts.Node): string[] {
  const bindings = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : undefined
  return bindings && ts.isNamedImports(bindings)
    ? bindings.elements.map((each) => (each.propertyName ?? each.name).text)
    : []
}

/** Every import of a file: of values and types, static and dynamic, and re-exports. */
export function importsOf({ path, tree }: SourceFile): Import[] {
  const imports: Import[] = []
  walk(tree, (node) => {
    const given = specifier(node)
    const to = given && textOf(given)
    if (!to) return
    const inside = to.startsWith('.')
    const target = inside ? posix.join(posix.dirname(path), to).replace(/\.(js|ts|mjs)$/, '') : packageOf(to)
    imports.push({ from: path, to: target, inside, names: namesOf(node) })
  })
  return imports
}

const packageOf = (name: string): string =>
  name.startsWith('node:')
    ? name
    : name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/')
