import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

const DAY_MS = 86_400_000

export interface Certificate {
  /** PEM. */
  readonly certificate: string
  /** PEM, PKCS 8. */
  readonly key: string
}

/** Signs certificates, and is trusted by whoever is given its own. */
export interface Authority {
  /** PEM. */
  readonly certificate: string
  /** A server's certificate for host names and IPv4 addresses, valid from yesterday until tomorrow. */
  issue(...hosts: readonly string[]): Certificate
}

/** A certificate authority of one test: nobody else trusts it, and its key is written nowhere. */
export function makeAuthority(): Authority {
  const name = `Test authority ${randomBytes(6).toString('hex')}`
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const isAuthority = extension('2.5.29.19', true, sequence(TRUE))
  const signed = (subject: string, publicKey: KeyObject, extensions: readonly Buffer[]): string =>
    pem(signCertificate({ issuer: name, subject, publicKey, extensions }, own.privateKey))
  return {
    certificate: signed(name, own.publicKey, [isAuthority]),
    issue: (...hosts) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const alternatives = extension('2.5.29.17', false, sequence(...hosts.map(alternativeName)))
      return {
        certificate: signed(hosts[0] ?? 'nobody', publicKey, [alternatives]),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }
    },
  }
}

interface Claim {
  readonly issuer: string
  readonly subject: string
  readonly publicKey: KeyObject
  readonly extensions: readonly Buffer[]
}

/** An X.509 certificate in its binary form. */
function signCertificate({ issuer, subject, publicKey, extensions }: Claim, signer: KeyObject): Buffer {
  const ecdsaWithSha256 = sequence(objectId('1.2.840.10045.4.3.2'))
  const claim = sequence(
    tagged(0xa0, tagged(INTEGER, Buffer.from([2]))),
    // A positive number: its first bit is not set, and its first byte is not zero.
    tagged(INTEGER, Buffer.concat([Buffer.from([0x40]), randomBytes(8)])),
    ecdsaWithSha256,
    commonName(issuer),
    sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  return sequence(claim, ecdsaWithSha256, bits(sign('sha256', claim, signer)))
}

const INTEGER = 0x02
const TRUE = Buffer.from([0x01, 0x01, 0xff])

function commonName(name: string): Buffer {
  const UTF8_STRING = 0x0c
  const SET = 0x31
  return sequence(tagged(SET, sequence(objectId('2.5.4.3'), tagged(UTF8_STRING, Buffer.from(name)))))
}

function alternativeName(host: string): Buffer {
  const [DNS_NAME, IP_ADDRESS] = [0x82, 0x87]
  return isIPv4(host)
    ? tagged(IP_ADDRESS, Buffer.from(host.split('.').map(Number)))
    : tagged(DNS_NAME, Buffer.from(host))
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const OCTET_STRING = 0x04
  return sequence(objectId(id), ...(critical ? [TRUE] : []), tagged(OCTET_STRING, value))
}

function time(at: number): Buffer {
  const GENERALIZED_TIME = 0x18
  // Years from 2050 on are told in this form alone, those before in the shorter one; every program reads both.
  const digits = new Date(at).toISOString().replace(/\.\d+|[-:T]/g, '')
  return tagged(GENERALIZED_TIME, Buffer.from(digits))
}

function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

/** Seven bits in each byte; all but the last have the eighth set. */
function base128(number: number): number[] {
  const bytes = [number & 0x7f]
  for (let rest = number >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 0x7f) | 0x80)
  return bytes
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts))
const bits = (bytes: Buffer): Buffer => tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]))

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content])
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
