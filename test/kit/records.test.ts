import { describe, expect, test } from 'vitest'
import {
  changedMessage,
  changedRecord,
  type Making,
  newConversation,
  newMemory,
  newMessage,
  newSession,
  newUser,
} from '../../src/backend-kit.js'
import { ValidationError } from '../../src/index.js'

const AT = new Date(1000)
const LATER = new Date(2000)
let made = 0
const making: Making = { tenantId: 't', clock: () => AT.getTime(), newId: () => `made ${++made}` }

describe('a record that is changed', () => {
  const given = { createdAt: new Date(500), updatedAt: new Date(600), metadata: { kept: 1, replaced: { a: 1 } } }
  const records = [
    newUser(making, { ...given, preferences: { theme: 'dark' }, profile: { age: 3 } }),
    newConversation(making, { ...given, userId: 'u' }),
    newSession(making, { ...given, userId: 'u', state: { step: 1 } }),
    newMemory(making, { ...given, userId: 'u', content: 'x' }),
    newMessage(making, 'c', { ...given, role: 'user', content: 'x' }),
  ]

  test('has the time and the next version, merges metadata one level deep, and keeps all else', () => {
    for (const stored of records) {
      const changed = changedRecord(stored, { metadata: { replaced: { b: 2 }, added: null } }, LATER)
      const metadata = { kept: 1, replaced: { b: 2 }, added: null }
      expect(changed).toEqual({ ...stored, metadata, updatedAt: LATER, version: 2 })
      expect(stored.metadata).toEqual(given.metadata)
    }
  })

  test('merges preferences, profile and state too, and replaces what is no object of keys', () => {
    const [user, conversation, session] = records as [
      ReturnType<typeof newUser>,
      ReturnType<typeof newConversation>,
      ReturnType<typeof newSession>,
    ]
    const changed = changedRecord(user, { name: 'Ada', preferences: { size: 2 }, profile: { age: 4 } }, LATER)
    expect(changed).toMatchObject({ name: 'Ada', preferences: { theme: 'dark', size: 2 }, profile: { age: 4 } })
    expect(changedRecord(session, { state: { more: [1] } }, LATER).state).toEqual({ step: 1, more: [1] })
    expect(changedRecord(conversation, { tags: ['b'], title: null }, LATER)).toMatchObject({ tags: ['b'], title: null })
  })

  test('keeps what a patch names without a value', () => {
    for (const stored of records)
      expect(changedRecord(stored, { metadata: undefined }, LATER).metadata).toEqual(given.metadata)
  })

  test('takes a key named __proto__ for a key', () => {
    const metadata = JSON.parse('{"__proto__":{"polluted":true}}')
    const changed = changedRecord(records[0] as ReturnType<typeof newUser>, { metadata }, LATER)
    expect(Object.keys(changed.metadata)).toEqual(['kept', 'replaced', '__proto__'])
    expect(Object.getPrototypeOf(changed.metadata)).toBe(Object.prototype)
  })
})

describe('a message', () => {
  test('that is new has what every message has', () => {
    const message = newMessage(making, 'c', { role: 'tool', parts: [{ type: 'text', text: 'x' }], toolCallId: 'call' })
    expect(message).toEqual({
      tenantId: 't',
      id: `made ${made}`,
      conversationId: 'c',
      position: 0,
      parentId: null,
      role: 'tool',
      type: 'text',
      content: '',
      parts: [{ type: 'text', text: 'x' }],
      name: null,
      toolCallId: 'call',
      status: 'complete',
      metadata: {},
      createdAt: AT,
      updatedAt: AT,
      version: 1,
    })
    expect(newMessage(making, 'c', { id: 'own', role: 'user', content: 'x', createdAt: LATER })).toMatchObject({
      id: 'own',
      createdAt: LATER,
      updatedAt: LATER,
    })
  })

  test('is not emptied: either content or parts stay', () => {
    const message = newMessage(making, 'c', { role: 'user', content: 'x' })
    for (const content of ['', ' \n'])
      expect(() => changedMessage(message, { content }, LATER)).toThrow(ValidationError)
    const parts = [{ type: 'text' as const, text: 'y' }]
    expect(changedMessage(message, { content: '', parts }, LATER)).toMatchObject({ content: '', parts, version: 2 })
    expect(changedMessage(message, { content: 'z', metadata: { a: 1 } }, LATER)).toMatchObject({
      content: 'z',
      metadata: { a: 1 },
      updatedAt: LATER,
    })
  })
})
