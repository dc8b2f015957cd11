/** `lastPosition` → `last_position`, in both dialects. */
export const columnName = (key: string): string => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)

/** Short explicit names: PostgreSQL cuts names at 63 bytes, and a cut name differs from the one in the snapshot. */
export const indexName = (table: string, name: string): string => `${table}_${name}`
export const keyName = (table: string): string => `${table}_key`
export const foreignKeyName = (table: string, name: string): string => `${table}_${name}_fk`
