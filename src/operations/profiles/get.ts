import { getOf } from '../crud.ts'
import { profileKind } from './kind.ts'

export const getProfile = getOf(profileKind)
