import { getOf } from '../crud.ts'
import { credentialKind } from './kind.ts'

export const getCredential = getOf(credentialKind)
