/**
 * What ends within this time is said to end soon: tokens, secrets, certificates, authorities and revocation lists alike.
 * A week holds working days to replace it in, and a warning that stands for longer is no longer read.
 */
export const EXPIRES_SOON_MS = 7 * 86_400_000
