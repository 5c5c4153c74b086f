import { updateOf } from '../crud.ts'
import { profileKind } from './kind.ts'

export const updateProfile = updateOf(profileKind)
