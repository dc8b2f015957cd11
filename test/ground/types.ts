export type ServerName = 'postgresql' | 'redis' | 'chroma' | 'qdrant'

/** The environment variable that replaces each server by one that runs already. */
export const urlVariables = {
  postgresql: 'POSTGRESQL_URL',
  redis: 'REDIS_URL',
  chroma: 'CHROMA_URL',
  qdrant: 'QDRANT_URL',
} as const satisfies Record<ServerName, string>

export interface StartOptions {
  /** Start a server even where its environment variable names one: for tests that kill or restart it. */
  readonly own?: boolean
  /** The engine's own settings; what they are called is told at each engine's start function. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Server<Name extends string = ServerName> extends AsyncDisposable {
  readonly name: Name
  readonly url: string
  readonly port: number
  /** True where the environment variable named a server that is not ours: it cannot be killed or restarted. */
  readonly external: boolean
  /** Process id of the server itself; throws for an external one. */
  readonly pid: number
  /** Temporary folder with the data and `server.log`; throws for an external server. */
  readonly folder: string
  /** Ends the server and removes its folder. Does nothing for an external server. */
  stop(): Promise<void>
  /** SIGKILL; the folder stays, and `start` brings the server back. */
  kill(): Promise<void>
  /** An orderly end that waits for no client; the folder stays, and `start` brings the server back. */
  shutdown(): Promise<void>
  /** Starts a server that has been killed or shut down again, on its port and folder; throws while it runs. */
  start(): Promise<void>
  /** `start`, after a `shutdown` if the server still runs. */
  restart(): Promise<void>
}

/** Where one server lives. */
export interface Place {
  readonly folder: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
}

export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: ServerUser
}

/** What differs between the servers; everything else is in `server.ts`. */
export interface Engine<Name extends string = ServerName> {
  readonly name: Name
  readonly label: string
  /** How to come by this server where it cannot be started; ends the error's text. */
  readonly fix: string
  /** Asks the server for an orderly end. */
  readonly stopSignal: NodeJS.Signals
  /** Ends the server when the process that started it is gone. */
  readonly orphanSignal: NodeJS.Signals
  /** A failed start whose log matches is tried again. */
  readonly passing?: RegExp
  /** Once per folder, before the first start; `run` runs a program in the folder to its successful end. */
  prepare?(place: Place, run: (command: Command) => Promise<void>): Promise<void>
  command(place: Place): Promise<Command>
  ready(place: Place, pid: number): Promise<boolean>
  url(place: Place): string
  /** Frees what a killed server leaves outside its folder. */
  sweep?(place: Place): Promise<void>
}
