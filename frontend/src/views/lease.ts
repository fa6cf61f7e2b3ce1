import { useCallback, useEffect, useState } from "preact/hooks";
import { api, problemOf, type Problem } from "../api/client";
import type { Lease, StudyView } from "../api/types";

const RENEW_MS = 4 * 60_000;
export type Holding = {
  isMine: boolean;
  holder: string | null;
  until: string | null;
  problem: Problem | null;
  take: (breakReason?: string) => void;
};

/** Whoever opens a study that waits holds it, so that two people do not decide the same. */
export function useLease(study: StudyView, isWanted: boolean): Holding {
  const [lease, setLease] = useState<Lease | null>(study.lease);
  const [problem, setProblem] = useState<Problem | null>(null);
  const { study_key: key } = study;
  const take = useCallback(
    (breakReason?: string) => {
      api.takeLease(key, breakReason).then(
        (taken) => {
          setLease(taken);
          setProblem(null);
        },
        (error: unknown) => {
          const found = problemOf(error);
          setProblem(found);
          const { holder, until } = found.more;
          if (typeof holder === "string") {
            setLease({ holder, until: typeof until === "string" ? until : "", since: "", is_mine: false });
          }
        },
      );
    },
    [key],
  );
  useEffect(() => {
    if (!isWanted) return undefined;
    take();
    const renewing = setInterval(() => take(), RENEW_MS);
    return () => {
      clearInterval(renewing);
      api.leaveLease(key).catch(() => undefined); // It runs out by itself.
    };
  }, [key, isWanted, take]);
  const holder = lease && !lease.is_mine ? lease.holder : null;
  return { isMine: lease?.is_mine ?? false, holder, until: lease?.until ?? null, problem, take };
}
