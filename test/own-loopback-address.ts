/** Ports that are free by construction, for servers that tests start as processes. @module */

/**
 * A loopback address that no other process has: all its ports are free, also while a server is down for a while. (What
 * connects has a port of 127.0.0.1, whatever address it connects to.) Elsewhere than on Linux there is one address for all.
 */
export const ownLoopbackAddress: string =
  process.platform === 'linux'
    ? `127.${192 + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${process.pid & 255}`
    : '127.0.0.1'
