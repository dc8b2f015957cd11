export { MemoryCheckpointSaver, type MemoryCheckpointSaverOptions } from './saver.js'
