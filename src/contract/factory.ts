import type { Backend } from './backend.js'
import type { Capabilities } from './capabilities.js'
import type { VectorSettings } from './embedder.js'
import type { SemanticSearch } from './follow.js'
import type { CommonOptions } from './options.js'
import type { Counters, Logger } from './telemetry.js'

/** What every backend is given beside its options. */
export interface Means {
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Makes ids. */
  readonly newId: () => string
  /** What the parts of a hybrid search count. */
  readonly weights: { readonly text: number; readonly vector: number }
  readonly vectors: VectorSettings
  /** Makes names of those who take work, and tells whether one of them has ended with its process. */
  readonly newOwner?: (() => string) | undefined
  readonly isDead?: ((owner: string) => boolean) | undefined
  readonly logger?: Logger | undefined
  readonly counters?: Counters | undefined
  /** Finds by meaning in the backend's place, which then keeps vectors and compares none. */
  readonly semantic?: SemanticSearch | undefined
  /** A transfer opens its target also while it is being loaded. */
  readonly loads?: boolean | undefined
  /** Told of each write, when it has been stored or may have been. */
  readonly wrote?: (() => void) | undefined
}

/** How a kind of backend is made; `registerBackend` takes one. */
export interface BackendFactory<O extends object = Readonly<Record<string, unknown>>> {
  /** Names of the options that it knows beside those of `CommonOptions`; any other is refused. */
  readonly options: readonly string[]
  /** Schemes of its URLs, such as `mystore` for `mystore://host`; needs `fromUrl`. */
  readonly schemes?: readonly string[] | undefined
  /** The options that a URL stands for. */
  fromUrl?(url: string): Partial<O>
  /**
   * What a memory with these options will be able to do. Called before anything is opened: the place to check options.
   *
   * @throws ConfigurationError where an option is wrong.
   */
  capabilities(options: O & CommonOptions): Capabilities
  /** Makes the backend, closed. Clients are loaded here, or when it is opened. */
  create(options: O & CommonOptions, means: Means, capabilities: Capabilities): Backend | Promise<Backend>
}
