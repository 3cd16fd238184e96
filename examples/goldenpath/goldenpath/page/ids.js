// Every form of every ID that the server has shown so far, by canonical ID.

const known = new Map();

/** Remember all the forms anywhere in a value from the server. */
export function learn(value) {
  if (Array.isArray(value)) return value.forEach(learn);
  if (value === null || typeof value !== "object") return;
  if (typeof value.canonical === "string" && value.forms) keep(value);
  for (const [name, inner] of Object.entries(value)) if (name !== "forms") learn(inner);
}

/** What was created in an older format is sometimes shown by its canonical form only; the older one stays known. */
function keep({ kind, canonical, text, forms, aliases }) {
  const before = known.get(canonical);
  known.set(canonical, {
    kind,
    canonical,
    text: before && text === canonical ? before.text : text,
    forms: { ...before?.forms, ...forms },
    aliases: aliases ?? before?.aliases,
  });
}

/** All that is known of an ID: forms from the server, or a canonical text. */
export function formsOf(id) {
  return known.get(id.canonical ?? id) ?? { kind: id.slice(0, id.lastIndexOf("_")), canonical: id, text: id, forms: {} };
}

/** [format, text] pairs: first as it was created, then the canonical one, then the others. */
export function rowsOf(id) {
  const { canonical, text, forms, aliases = [] } = formsOf(id);
  const rows = Object.entries(forms);
  if (!rows.some((row) => row[1] === canonical)) rows.unshift(["canonical", canonical]);
  if (text && !rows.some((row) => row[1] === text)) rows.unshift(["as created", text]);
  for (const alias of aliases) if (!rows.some((row) => row[1] === alias)) rows.push(["alias", alias]);
  const rank = (row) => (row[1] === text ? 0 : row[1] === canonical ? 1 : row[0] === "alias" ? 3 : 2);
  return rows.sort((a, b) => rank(a) - rank(b));
}

/** A new UUID. `crypto.randomUUID` exists in secure contexts only, and this page is also served over plain HTTP. */
export function newUuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
