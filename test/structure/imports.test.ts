import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { type Import, importsOf, type SourceFile, typescriptFiles, walk } from './sources.js'

const sources = typescriptFiles('src')
const imports = sources.flatMap(importsOf)

/** The room of a path: `backends/sqlite`, `unit`, `memory`; `schema` beside the sources. */
function room(path: string): string {
  const [first = '', second = '', third = ''] = path.replace(/\.ts$/, '').split('/')
  if (first !== 'src') return first
  return second === 'backends' ? `${second}/${third}` : second
}

/** A room imports from rooms of a lower level. */
const LEVELS: readonly (readonly string[])[] = [
  ['errors', 'options', 'schema'],
  ['model'],
  ['contract'],
  ['repository', 'telemetry'],
  [
    'backends',
    'context',
    'embeddings',
    'search',
    'unit',
    'migrate',
    'transfer',
    'import',
    'erase',
    'archive',
    'fallback',
    'moving',
  ],
  ['composed'],
  ['memory', 'configuration', 'spellings', 'places', 'owner'],
  ['registry'],
  ['backend'],
  ['entries'],
  ['with-fallback', 'create-memory', 'run-transfer'],
  ['run-probes'],
  ['run-online'],
  ['environment'],
  ['integrations', 'cli', 'index', 'backend-kit'],
]
const levelOf = (name: string): number => LEVELS.findIndex((level) => level.includes(name.split('/')[0] as string))

/** What goes sideways, with the reason. */
const SIDEWAYS: readonly { readonly from: RegExp; readonly to: RegExp; readonly because: string }[] = [
  { from: /^backends\/(sqlite|postgresql)$/, to: /^backends\/sql$/, because: 'repositories written once for both' },
  { from: /^backends\/(sql|sqlite|postgresql)$/, to: /^search$/, because: 'the analyzer makes what is indexed' },
  { from: /^backends\/(qdrant|chromadb)$/, to: /^backends\/vector$/, because: 'repositories written once for both' },
  { from: /^backends\/vector$/, to: /^search$/, because: 'scores, factors and rerankers are the same everywhere' },
  { from: /^backends\/redis$/, to: /^search$/, because: 'the language of a conversation is one that is known' },
  {
    from: /^backends\/(sql|sqlite|postgresql|redis|vector|chromadb)$/,
    to: /^embeddings$/,
    because: 'vectors are checked and encoded in one way',
  },
  { from: /^unit$/, to: /^context$/, because: 'a tenant answers what belongs into a prompt' },
  {
    from: /^backends\/(sqlite|postgresql)$/,
    to: /^unit$/,
    because: 'a store keeps its own vectors up in the background',
  },
  { from: /^backends\/(sqlite|postgresql)$/, to: /^migrate$/, because: 'a backend migrates what it opens' },
  { from: /^backends\/sql$/, to: /^migrate$/, because: 'tables of an older schema are read as they are' },
  { from: /^transfer$/, to: /^embeddings$/, because: 'vectors are compared as stores keep them' },
  { from: /^fallback$/, to: /^unit$/, because: 'a chain makes verbs again, with their arguments as they are kept' },
  { from: /^import$/, to: /^archive$/, because: 'our own archive is one of the formats' },
  { from: /^import$/, to: /^backends\/sqlite$/, because: 'files of other memories are SQLite files' },
]
const sideways = (from: string, to: string): boolean =>
  SIDEWAYS.some((each) => each.from.test(from) && each.to.test(to))

const show = ({ from, to }: Import): string => `${from} imports ${to}`

describe('imports', () => {
  test('every room has its place', () => {
    expect(sources.length).toBeGreaterThan(50)
    expect(sources.map(({ path }) => room(path)).filter((name) => levelOf(name) < 0)).toEqual([])
    expect(imports.filter(({ to, inside }) => inside && levelOf(room(to)) < 0).map(show)).toEqual([])
  })

  test('go from the outer rooms to the inner ones', () => {
    const wrong = imports.filter(({ from, to, inside }) => {
      const [outer, inner] = [room(from), room(to)]
      if (!inside || outer === inner) return false
      const difference = levelOf(outer) - levelOf(inner)
      return difference < 0 || (difference === 0 && !sideways(outer, inner))
    })
    expect(wrong.map(show)).toEqual([])
  })

  test('of one backend by another do not exist', () => {
    const wrong = imports.filter(
      ({ from, to, inside }) =>
        inside &&
        room(from).startsWith('backends/') &&
        room(to).startsWith('backends/') &&
        room(from) !== room(to) &&
        !['backends/sql', 'backends/vector'].includes(room(to)),
    )
    expect(wrong.map(show)).toEqual([])
  })

  test('of the public names are nobody’s: index.ts exports and nothing else', () => {
    expect(imports.filter(({ to }) => to === 'src/index').map(show)).toEqual([])
    const index = sources.find(({ path }) => path === 'src/index.ts')
    expect(index?.tree.statements.filter((statement) => !ts.isExportDeclaration(statement))).toEqual([])
  })

  test('every listed sideways import is there', () => {
    const unused = SIDEWAYS.filter(
      ({ from, to }) => !imports.some((each) => each.inside && from.test(room(each.from)) && to.test(room(each.to))),
    )
    expect(unused.map((each) => each.because)).toEqual([])
  })
})

describe('a package', () => {
  /** Where each may be imported, types included. */
  const HOMES: readonly (readonly [name: RegExp, rooms: RegExp])[] = [
    [/^(better-sqlite3|sqlite-vec)$/, /^backends\/sqlite$/],
    [/^(postgres|pg|pg-copy-streams|@electric-sql\/.*)$/, /^backends\/postgresql$/],
    [/^(ioredis|redis)$/, /^backends\/redis$/],
    [/^chromadb/, /^backends\/chromadb$/],
    [/^@qdrant\//, /^backends\/qdrant$/],
    [/^(@langchain\/.*|openai|@energetic-ai\/.*)$/, /^(embeddings|integrations)$/],
    [/^drizzle-orm$/, /^backends\/(sql|sqlite|postgresql)$/],
    [/^@orama\//, /^search$/],
    [/^@opentelemetry\//, /^telemetry$/],
    [/^(commander|cli-progress)$/, /^cli$/],
  ]

  test('is imported only where it is at home', () => {
    const wrong = imports.filter(
      ({ from, to, inside }) => !inside && HOMES.some(([name, rooms]) => name.test(to) && !rooms.test(room(from))),
    )
    expect(wrong.map(show)).toEqual([])
  })

  test('of a tool or a test is imported nowhere', () => {
    const wrong = imports.filter(({ to }) => /^(vitest|tsx|typescript|drizzle-kit|tsdown|fast-check)$/.test(to))
    expect(wrong.map(show)).toEqual([])
  })
})

/** Places where something is found, as `path:line text`. */
function found(files: readonly SourceFile[], matches: (node: ts.Node) => boolean): string[] {
  return files.flatMap(({ path, tree }) => {
    const places: string[] = []
    walk(tree, (node) => {
      if (!matches(node)) return
      const { line } = tree.getLineAndCharacterOfPosition(node.getStart())
      places.push(`${path}:${line + 1} ${node.getText().slice(0, 60)}`)
    })
    return places
  })
}

const isMember = (node: ts.Node, object: string, member?: string): boolean =>
  ts.isPropertyAccessExpression(node) &&
  node.expression.getText() === object &&
  (member === undefined || node.name.text === member)

describe('the rooms between the doors', () => {
  const inner = sources.filter(
    ({ path }) =>
      !/^src\/(memory\.ts|create-memory\.ts|run-transfer\.ts|run-online\.ts|owner\.ts|backend\.ts|with-fallback\.ts|environment\.ts|integrations\/|cli\/)/.test(
        path,
      ),
  )

  test('have no clock', () => {
    const clock = (node: ts.Node): boolean =>
      isMember(node, 'Date', 'now') ||
      (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) ||
      (ts.isCallExpression(node) && node.expression.getText() === 'Date')
    expect(found(inner, clock)).toEqual([])
  })

  test('have no chance, but for the pauses between two attempts and what a write is known by', () => {
    const JITTER =
      /^src\/backends\/(sql\/outbox|sqlite\/(gate|open|migration)|postgresql\/session|redis\/(context|token)|vector\/(context|writing|http)|(qdrant|chromadb)\/(client|retry))\.ts:/
    const chance = (node: ts.Node): boolean =>
      isMember(node, 'Math', 'random') ||
      (ts.isIdentifier(node) && /^(randomUUID|randomBytes|randomInt|getRandomValues)$/.test(node.text))
    expect(found(inner, chance).filter((place) => !JITTER.test(place))).toEqual([])
    const ids = imports.filter(
      ({ from, to, names }) =>
        inner.some(({ path }) => path === from) && to === 'uuid' && names.some((name) => /^v[1467]$/.test(name)),
    )
    expect(ids.map(show)).toEqual([])
  })

  test('touch neither the process nor the console', () => {
    const outside = (node: ts.Node): boolean =>
      ts.isPropertyAccessExpression(node) &&
      ts.isIdentifier(node.expression) &&
      ['process', 'console'].includes(node.expression.text)
    // Local mode starts a server's keeper with the Node that runs us, and a program is looked for in our environment.
    const LOCAL = /^src\/backends\/chromadb\/local[\w-]*\.ts:\d+ process\.(execPath|env)$/
    expect(found(inner, outside).filter((place) => !LOCAL.test(place))).toEqual([])
    expect(
      imports
        .filter(
          ({ from, to, names }) =>
            /process|console/.test(to) &&
            !/^src\/(cli\/|backends\/chromadb\/local-start\.)/.test(from) &&
            `${names}` !== 'nextTick',
        )
        .map(show),
    ).toEqual([])
  })
})

describe('every source file', () => {
  const all = [...sources, ...typescriptFiles('schema', 'scripts')]

  test('asks what a backend can do, never which dialect it is', () => {
    const COMPARISONS = [
      ts.SyntaxKind.EqualsEqualsEqualsToken,
      ts.SyntaxKind.ExclamationEqualsEqualsToken,
      ts.SyntaxKind.EqualsEqualsToken,
      ts.SyntaxKind.ExclamationEqualsToken,
    ]
    const compares = (node: ts.Node): boolean =>
      ts.isBinaryExpression(node) &&
      COMPARISONS.includes(node.operatorToken.kind) &&
      [node.left, node.right].some((side) => /(^|\.)(dialect|dialectName)$/.test(side.getText()))
    expect(found([...sources, ...typescriptFiles('schema')], compares)).toEqual([])
  })

  test('is written without `any`', () => {
    expect(found(all, (node) => node.kind === ts.SyntaxKind.AnyKeyword)).toEqual([])
  })

  test('has at most 300 lines', () => {
    const TABLES = 'schema/tables.ts' // Every table once, in one place.
    const long = [...all, ...typescriptFiles('test')]
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ path, lines }) => lines > 300 && path !== TABLES && !path.startsWith('src/migrate/bundled/'))
    expect(long).toEqual([])
  })
})
