const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const FIRST_14 = /^[0-9A-Z]{14}$/;
/** Two state digits, a PAN, the entity digit, the kind of registration (Z for most) and the check character. */
const FORMAT = /^[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z][Z1-9ABD-J][0-9A-Z]$/;

/** The check digit (15th character) that belongs to the first 14 characters of a GSTIN; RangeError for others. */
export function gstinCheckDigit(first14: string): string {
  if (!FIRST_14.test(first14)) throw new RangeError("expected 14 characters of 0-9 and A-Z");
  return checkDigit(first14);
}

/** True for an upper-case GSTIN of the right form whose check digit fits (api.md §5). */
export function isValidGstin(gstin: string): boolean {
  return FORMAT.test(gstin) && checkDigit(gstin) === gstin.charAt(14);
}

/** Upper case without surrounding blanks: the form that is checked and indexed. */
export function normaliseGstin(text: string): string {
  const trimmed = text.trim();
  // Only ASCII letters are raised: Unicode has others (such as U+017F) whose upper case is an ASCII letter.
  return /^[0-9A-Za-z]*$/.test(trimmed) ? trimmed.toUpperCase() : trimmed;
}

function checkDigit(text: string): string {
  let sum = 0;
  for (let i = 0; i < 14; i++) {
    const code = text.charCodeAt(i);
    const product = (code < 65 ? code - 48 : code - 55) * (i % 2 === 0 ? 1 : 2);
    sum += Math.floor(product / 36) + (product % 36);
  }
  return ALPHABET.charAt((36 - (sum % 36)) % 36);
}
