import { ConfigurationError } from './errors.js'

/** What an option of the Python package is called here, and how its value is meant. */
interface Spelling {
  readonly name: string
  readonly value?: (given: unknown) => unknown
}

const seconds = (given: unknown): unknown => (typeof given === 'number' ? given * 1000 : given)

const REDIS: Readonly<Record<string, Spelling>> = {
  database: { name: 'db' },
  ssl: { name: 'tls' },
  ttlDefault: { name: 'ttl' },
  ttlSeconds: { name: 'ttl' },
  keyPrefix: { name: 'prefix' },
  socketTimeout: { name: 'callTimeout', value: seconds },
  socketConnectTimeout: { name: 'connectTimeout', value: seconds },
}
const SQLITE: Readonly<Record<string, Spelling>> = { connectionTimeout: { name: 'busyTimeout', value: seconds } }
const POSTGRESQL: Readonly<Record<string, Spelling>> = {
  poolMaxSize: { name: 'poolSize' },
  sslMode: { name: 'ssl', value: (given) => (given === 'disable' ? false : given) },
}

type Options = Record<string, unknown>

function renamed(given: Options, spellings: Readonly<Record<string, Spelling>>): Options {
  const options: Options = {}
  for (const [name, value] of Object.entries(given)) {
    const spelling = Object.hasOwn(spellings, name) ? spellings[name] : undefined
    const own = spelling?.name ?? name
    if (value === undefined) continue
    if (own in options || (spelling && given[own] !== undefined))
      throw new ConfigurationError(`option ${name}: is another name of ${own}, which is given as well`)
    options[own] = spelling?.value ? spelling.value(value) : value
  }
  return options
}

const PARTS = ['host', 'port', 'database', 'username', 'password'] as const

/** Host, port, database, user and password instead of a connection string. */
function connected(given: Options): Options {
  const parts = PARTS.filter((name) => given[name] !== undefined)
  if (parts.length === 0) return given
  if (given.connectionString !== undefined)
    throw new ConfigurationError(`option ${parts[0]}: cannot be given together with connectionString`)
  const { host = 'localhost', port = 5432, database, username, password, ...rest } = given
  for (const name of ['database', 'username'] as const)
    if (typeof given[name] !== 'string') throw new ConfigurationError(`option ${name}: is required beside ${parts[0]}`)
  const part = (value: unknown): string => encodeURIComponent(String(value))
  const user = password === undefined ? part(username) : `${part(username)}:${part(password)}`
  return { ...rest, connectionString: `postgres://${user}@${String(host)}:${part(port)}/${part(database)}` }
}

/** The options as they are called here: those of the predecessor, in camel case, are known by their own names too. */
export const SPELLINGS = {
  sqlite: (given: object): object => renamed(given as Options, SQLITE),
  postgresql: (given: object): object => renamed(connected(given as Options), POSTGRESQL),
  redis: (given: object): object => renamed(given as Options, REDIS),
}
