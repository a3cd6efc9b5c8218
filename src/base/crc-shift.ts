/**
 * What all combinations of crcs share: appending B to A multiplies crc(A) by x^(8·length of B) modulo the polynomial. The
 * power is made of squares, by the bits of the length.
 * @module
 */

/** The field in which crcs of one polynomial are polynomials of x. */
export interface CrcField<Element> {
  /** x^0 and x^1, in the bit order of the crc. */
  readonly one: Element
  readonly x: Element
  /** a·b modulo the polynomial. */
  readonly multiply: (a: Element, b: Element) => Element
}

/** Lengths repeat (a block, a chunk, a part), so their shifts are kept; bounded, since others are rare. */
const shiftsKept = 256

/** @returns x^(8·lengthBytes) modulo the polynomial, of a length up to 2^53 */
export function shifterOf<Element>({ one, x, multiply }: CrcField<Element>): (lengthBytes: number) => Element {
  // Made when they are first needed: all at once they were a part of each start.
  const squares = [x]
  const squareOf = (k: number): Element => {
    for (let last = squares.length - 1; last < k; last++) {
      squares.push(multiply(squares[last] as Element, squares[last] as Element))
    }
    return squares[k] as Element
  }
  const shifts = new Map<number, Element>()
  return (lengthBytes) => {
    const known = shifts.get(lengthBytes)
    if (known !== undefined) return known
    let shift = one
    let rest = lengthBytes
    for (let k = 3; rest > 0; k++) {
      if (rest % 2 === 1) shift = multiply(squareOf(k), shift)
      rest = Math.floor(rest / 2)
    }
    if (shifts.size < shiftsKept) shifts.set(lengthBytes, shift)
    return shift
  }
}
