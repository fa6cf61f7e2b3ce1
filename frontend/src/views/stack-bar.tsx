import { useEffect, useRef } from "preact/hooks";
import type { Image } from "../api/types";

type Props = { images: Image[]; index: number; findingKey: string | null; onIndex: (index: number) => void };

/** Where one is in the stack, and which images carry evidence of the finding. */
export function StackBar({ images, index, findingKey, onIndex }: Props) {
  const marks = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = marks.current!;
    canvas.height = Math.max(images.length * 4, 64);
    const context = canvas.getContext("2d")!;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const each = canvas.height / images.length;
    images.forEach((image, i) => {
      const share = findingKey === null ? 0 : (image.evidence[findingKey] ?? 0);
      if (share <= 0) return;
      context.fillStyle = `rgba(252, 165, 10, ${Math.min(1, 0.25 + 0.75 * share)})`;
      context.fillRect(0, i * each, canvas.width, Math.max(1, each - 1));
    });
  }, [images, findingKey]);
  return (
    <div class="stack-bar">
      <canvas ref={marks} width={6} aria-hidden="true" />
      <input
        type="range"
        min="0"
        max={images.length - 1}
        value={index}
        aria-label="Image of the stack"
        aria-valuetext={`image ${index + 1} of ${images.length}`}
        onInput={(event) => onIndex(Number(event.currentTarget.value))}
      />
      <span>
        {index + 1}/{images.length}
      </span>
    </div>
  );
}
