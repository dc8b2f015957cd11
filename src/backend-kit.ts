export type * from './contract/backend.js'
export { type CursorCodec, cursors } from './contract/cursor.js'
export { EVENT_TYPES } from './contract/events.js'
export type { BackendFactory, Means } from './contract/factory.js'
export { FILTER_KINDS } from './contract/filter.js'
export { checkVector, MAX_DIMENSIONS, normalize } from './embeddings/vector.js'
export { canonicalJson } from './model/canonical.js'
export * from './model/check.js'
export { type Field, RECORD_FIELDS, type RecordOf } from './model/fields.js'
export { childPath, copyJson, copyJsonObject, type JsonBounds, mergeJson } from './model/json.js'
export { checkFlag, checkLimit, checkNames, pageWindow, type Window } from './model/page-options.js'
export { checkId } from './model/parse.js'
export { MEMORY_TYPES, MESSAGE_STATUSES, MESSAGE_TYPES, RECORD_KINDS, ROLES, SEARCH_KINDS } from './model/records.js'
export { exceedsBytes, idProblem, instantProblem, textProblem } from './model/text.js'
export { changedMessage, changedRecord } from './repository/changed-records.js'
export { checkFilter, checkList, FILTER_NAMES, searchKinds } from './repository/filter.js'
export { compareText, isAlive, matches } from './repository/matches.js'
export { clearBound, END, type MessageWindow, messageCursors, messageWindow } from './repository/message-options.js'
export {
  type Making,
  newConversation,
  newMemory,
  newMessage,
  newSession,
  newUser,
  unknownUser,
} from './repository/new-records.js'
export { toPage } from './repository/paging.js'
export { batchSize } from './repository/purge-options.js'
export { checkVersion, checkVersionOption, exists, missing } from './repository/refusals.js'
export { checkLanguage } from './search/languages.js'
