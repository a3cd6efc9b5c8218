/**
 * The messages of the handshake, as bytes. Their envelope stays as it is in every protocol version, so that the oldest
 * and the newest can tell each other that they do not fit. `docs/formats/handshake.md` specifies it.
 *
 *     "Ashlar" kind:u8 bodyBytes:u16 body     body = a struct
 *
 * Invariant: no more than `limits.handshakeBytes` of a stranger are ever kept.
 * @module
 */
import { bytes, choice, field, hex, type Infer, optional, struct, text, uint } from '../base/codec.ts'
import { errorCodeOf, errorTable } from '../base/error-table.ts'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { signatureBytes } from './server-identity.ts'

export const nonceBytes = 32
export const proofBytes = 32

const magic = Buffer.from('Ashlar')
const envelopeBytes = magic.length + 3
const kinds = { hello: 1, proof: 2, refusal: 3 } as const

export const hello = struct('hello', 1, {
  /** The protocol versions that the sender speaks, inclusive. Of the acceptor's hello: the one it chose, twice. */
  lowestVersion: field(1, uint),
  highestVersion: field(2, uint),
  role: field(3, choice('client', 'chunkserver', 'master')),
  clusterId: field(4, hex<ClusterId>(16)),
  nonce: field(5, bytes(nonceBytes)),
  serverId: optional(6, hex<ServerId>(16)),
})
export type Hello = Infer<typeof hello>

const proof = struct('proof', 1, {
  mac: field(1, bytes(proofBytes)),
  /** Of an acceptor towards a client. */
  signature: optional(2, bytes(signatureBytes)),
})
const refusal = struct('refusal', 1, { error: field(1, uint), message: field(2, text(1024)) })

export type HandshakeMessage =
  /** `raw` is the whole message: the proofs cover it, fields that the reader does not know included. */
  | { readonly kind: 'hello'; readonly hello: Hello; readonly raw: Buffer }
  | { readonly kind: 'proof'; readonly mac: Buffer; readonly signature?: Buffer | undefined }
  | { readonly kind: 'refusal'; readonly error: AshlarError }

export function helloMessage(value: Hello): Buffer {
  return envelope(kinds.hello, hello.encode(value))
}

export function proofMessage(mac: Buffer, signature?: Buffer): Buffer {
  return envelope(kinds.proof, proof.encode({ mac, signature }))
}

/** Only code and message go to a stranger. */
export function refusalMessage(error: AshlarError): Buffer {
  const message = error.message.slice(0, 250)
  return envelope(kinds.refusal, refusal.encode({ error: errorTable[error.code].number, message }))
}

function envelope(kind: number, body: Buffer): Buffer {
  const prefix = Buffer.alloc(envelopeBytes)
  magic.copy(prefix)
  prefix[magic.length] = kind
  prefix.writeUInt16BE(body.length, magic.length + 1)
  return Buffer.concat([prefix, body])
}

/** Assembles the messages of one handshake from pieces. */
export class HandshakeReader {
  readonly #envelope = Buffer.alloc(envelopeBytes)
  #body: Buffer | undefined
  #filledBytes = 0
  #keptBytes = 0

  /**
   * Takes bytes until one message is whole.
   * @returns the message if it is complete, and the position in `piece` after the bytes that were taken
   * @throws {AshlarError} `protocol` — not a handshake, or too long; `version-unsupported`
   */
  push(piece: Buffer, from: number): { readonly message?: HandshakeMessage; readonly next: number } {
    let at = from
    if (this.#body === undefined) {
      at = this.#fill(this.#envelope, piece, at)
      this.#checkMagic()
      if (this.#filledBytes < envelopeBytes) return { next: at }
      const bodyBytes = this.#envelope.readUInt16BE(magic.length + 1)
      this.#keptBytes += envelopeBytes + bodyBytes
      if (this.#keptBytes > limits.handshakeBytes) throw malformed(`it is longer than ${limits.handshakeBytes} bytes`)
      this.#body = Buffer.alloc(bodyBytes)
      this.#filledBytes = 0
    }
    at = this.#fill(this.#body, piece, at)
    if (this.#filledBytes < this.#body.length) return { next: at }
    const message = decode(this.#envelope, this.#body)
    this.#body = undefined
    this.#filledBytes = 0
    return { message, next: at }
  }

  #fill(target: Buffer, piece: Buffer, at: number): number {
    const copied = piece.copy(target, this.#filledBytes, at, at + target.length - this.#filledBytes)
    this.#filledBytes += copied
    return at + copied
  }

  /** At the first wrong byte, so that a stranger's connection ends without waiting for more of it. */
  #checkMagic(): void {
    const compared = Math.min(this.#filledBytes, magic.length)
    if (magic.compare(this.#envelope, 0, compared, 0, compared) !== 0)
      throw malformed('the peer speaks another protocol')
  }
}

function decode(envelopeSeen: Buffer, body: Buffer): HandshakeMessage {
  const kind = envelopeSeen[magic.length]
  switch (kind) {
    case kinds.hello: {
      const value = hello.decode(body)
      if (value.nonce.length !== nonceBytes) throw malformed('a nonce has the wrong length')
      return { kind: 'hello', hello: value, raw: Buffer.concat([envelopeSeen, body]) }
    }
    case kinds.proof:
      return { kind: 'proof', ...proof.decode(body) }
    case kinds.refusal: {
      const { error, message } = refusal.decode(body)
      return { kind: 'refusal', error: new AshlarError(errorCodeOf(error), message, { applied: 'no' }) }
    }
    default:
      throw malformed(`message kind ${kind} does not exist`)
  }
}

function malformed(what: string): AshlarError {
  return new AshlarError('protocol', `Cannot read handshake: ${what}`)
}
