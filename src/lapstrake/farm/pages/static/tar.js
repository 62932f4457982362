// A folder as a tar archive (POSIX.1-2001, "ustar" with pax records), made of the files themselves:
// nothing is read into memory but their first bytes.
const BLOCK = 512;
const encoder = new TextEncoder();

export async function tar(files) {
  const parts = [];
  for (const { path, file } of files) {
    const mode = (await isScript(file)) ? 0o755 : 0o644;
    const name = encoder.encode(path);
    if (name.length > 100) parts.push(...pax(path));
    parts.push(header(name.slice(0, 100), file.size, mode, file.lastModified / 1000, "0"), file, padding(file.size));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

async function isScript(file) {
  return (await file.slice(0, 2).text()) === "#!";
}

function pax(path) {
  const text = encoder.encode(record("path", path));
  return [header(encoder.encode("pax"), text.length, 0o644, 0, "x"), text, padding(text.length)];
}

function record(key, value) {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let size = rest + String(rest).length;
  if (String(size).length !== String(rest).length) size = rest + String(size).length;
  return `${size} ${key}=${value}\n`;
}

function padding(size) {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

function header(name, size, mode, seconds, kind) {
  const block = new Uint8Array(BLOCK);
  const octal = (value, length) => `${Math.floor(value).toString(8).padStart(length - 1, "0")}\0`;
  const put = (text, at) => block.set(typeof text === "string" ? encoder.encode(text) : text, at);
  put(name, 0);
  put(octal(mode, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(size, 12), 124);
  put(octal(seconds, 12), 136);
  put("        ", 148);
  put(kind, 156);
  put("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
