/** SHA-256 by WebCrypto, which is the same in workerd, Node and browsers. */

/** The 32 bytes of the SHA-256 of a text, as UTF-8. */
export async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** The SHA-256 of a text as 64 lower-case hexadecimal digits. */
export async function sha256Hex(text: string): Promise<string> {
  const bytes = await sha256(text);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
