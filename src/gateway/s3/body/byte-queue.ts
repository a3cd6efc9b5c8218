/**
 * Reads lines and runs of bytes from a stream of pieces, keeping at most one piece and one line.
 * @module
 */
import { S3Error } from '../rules/s3-error.ts'

const noBytes = new Uint8Array()
const newline = 0x0a

export class ByteQueue {
  readonly #source: AsyncIterator<Uint8Array>
  #piece: Uint8Array = noBytes

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** A line without its CRLF. @throws {S3Error} `InvalidRequest` (longer than `maxBytes`), `IncompleteBody` */
  async line(maxBytes: number): Promise<string>
  /** Undefined: the stream has ended. */
  async line(maxBytes: number, options: { readonly mayEnd: true }): Promise<string | undefined>
  async line(maxBytes: number, { mayEnd = false }: { readonly mayEnd?: boolean } = {}): Promise<string | undefined> {
    let line = ''
    for (;;) {
      if (this.#piece.length === 0 && !(await this.#more())) {
        if (mayEnd && line === '') return undefined
        throw ended()
      }
      const at = this.#piece.indexOf(newline)
      const taken = at < 0 ? this.#piece : this.#piece.subarray(0, at)
      // One more for the CR.
      if (line.length + taken.length > maxBytes + 1)
        throw new S3Error('InvalidRequest', 'The body is not framed as aws-chunked.')
      line += Buffer.from(taken.buffer, taken.byteOffset, taken.length).toString('latin1')
      this.#piece = at < 0 ? noBytes : this.#piece.subarray(at + 1)
      if (at >= 0) return line.endsWith('\r') ? line.slice(0, -1) : line
    }
  }

  /** Exactly `count` bytes, piece by piece. @throws {S3Error} `IncompleteBody` */
  async *take(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = count; left > 0; ) {
      if (this.#piece.length === 0 && !(await this.#more())) throw ended()
      const taken = this.#piece.subarray(0, left)
      this.#piece = this.#piece.subarray(taken.length)
      left -= taken.length
      if (taken.length > 0) yield taken
    }
  }

  async isAtEnd(): Promise<boolean> {
    return this.#piece.length === 0 && !(await this.#more())
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#source.next()
      if (done === true) return false
      if (value.length === 0) continue
      this.#piece = value
      return true
    }
  }
}

function ended(): S3Error {
  return new S3Error('IncompleteBody', 'The request body terminated unexpectedly')
}
