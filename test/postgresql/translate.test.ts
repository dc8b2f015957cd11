import { describe, expect, test } from 'vitest'
import { translateError } from '../../src/backends/postgresql/errors.js'

const raw = (code: string) =>
  Object.assign(new Error('quotes "what is stored"'), {
    code,
    detail: 'Key (id)=(what is stored) already exists.',
    table_name: 'bruno_messages',
    parameters: ['what is stored'],
  })

describe('an error of the server', () => {
  test.each([
    ['23505', 'conflict', false],
    ['23503', 'not-found', false],
    ['23514', 'storage', false],
    ['40001', 'conflict', true],
    ['40P01', 'conflict', true],
    ['55P03', 'timeout', true],
    ['57014', 'timeout', true],
    ['25006', 'storage', false],
    ['53100', 'storage', true],
    ['53200', 'overloaded', true],
    ['53300', 'overloaded', true],
    ['53400', 'overloaded', true],
    ['54000', 'overloaded', true],
    ['28P01', 'connection', false],
    ['3D000', 'connection', false],
    ['42501', 'storage', false],
    ['42P01', 'storage', false],
    ['57P01', 'connection', true],
    ['57P03', 'connection', true],
    ['08006', 'connection', true],
    ['CONNECTION_CLOSED', 'connection', true],
    ['CONNECT_TIMEOUT', 'connection', true],
    ['ECONNRESET', 'connection', true],
    ['ERR_SOCKET_CLOSED', 'connection', true],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'connection', false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'connection', false],
    ['EPROTO', 'connection', false],
    ['XX000', 'storage', false],
  ])('%s is of code %s, retryable: %s', (code, expected, retryable) => {
    const error = translateError(raw(code))
    expect(error).toMatchObject({ code: expected, retryable, cause: { code, table: 'bruno_messages' } })
    expect(JSON.stringify([error.message, error.stack, error.cause, (error.cause as Error).message])).not.toContain(
      'what is stored',
    )
  })
})
