"""`roadloop render`: labelled datasets on disk, spread over Ray workers, the same bits for any number of them.

A scene is a function of the configuration and its seed. Scenes are drawn in batches; each batch writes its files and
leaves its rows of the dataset's tables in a part file, so an interrupted job goes on with the next missing batch.
Only one batch a worker is in memory, and one part file where the tables are joined; memory.csv tells what the driver
and the workers held after each batch. Batches of one map go to one worker, which makes the map once.
"""

from pathlib import Path
from typing import Any

from configs.schema import Experiment
from pipelines.datasets.contact import shown_scenes, thumbnails
from pipelines.datasets.frames import draw_frames
from pipelines.datasets.plan import Batch, plan_batches
from pipelines.datasets.summary import Summary
from pipelines.datasets.writers import WRITERS, finish, results
from pipelines.fanout import fan_out_to_files
from pipelines.memory import MEMORY, log_memory, memory_told
from pipelines.progress import Report, progress
from pipelines.runs import claim, default_folder, remove_leftovers, run_folder
from pipelines.worlds import check_inputs, map_key

PARTS = ".parts"  # rows of finished batches, until all are joined; they stay, so that the job can be extended


def render(experiment: Experiment, out: Path | None) -> None:
    """Render `render.scenes` scenes into `out`. ValueError or OSError on bad input."""
    batches = plan_batches(experiment)
    with run_folder(out or default_folder("render")) as folder, progress("render", "frames") as report:
        for batch in batches[:1]:
            check_inputs(batch.experiment)
        summary = render_scenes(experiment, folder, report, batches)
    print(
        f"{summary.frames} frames of {experiment.render.scenes} scenes, {summary.objects} labelled objects in {folder}"
    )
    held = [f"{process} {megabytes / 1000.0:.1f} GB" for process, megabytes in sorted(memory_told(folder).items())]
    print(f"memory at most: {', '.join(held) or 'not known'}")
    print(f"look at {folder / 'index.html'}")


def render_scenes(experiment: Experiment, folder: Path, report: Report, batches: list[Batch] | None = None) -> Summary:
    """Render what is missing in `folder`, join the tables and write the pages; what the dataset holds."""
    formats = experiment.render.format
    claim(experiment, folder, (*results(formats), MEMORY))
    batches = plan_batches(experiment) if batches is None else batches
    tasks = {f"{index:06d}": (batch, f"{index:06d}", str(folder)) for index, batch in enumerate(batches)}
    total = sum(len(batch.scenes) for batch in batches) * experiment.render.frames

    def done(count: int) -> None:
        report(total * count // len(tasks), total)  # batches are about even
        log_memory(folder, "driver")

    parts = fan_out_to_files(render_batch, tasks, folder / PARTS, experiment.workers, done, _maps_of)
    remove_leftovers(folder)
    finish(formats, folder, experiment, parts)
    summary = Summary.joined(parts)
    from pipelines.datasets.page import write_pages  # what draws pages is of no use to workers

    write_pages(folder, experiment, summary, parts)
    return summary


def _maps_of(task: tuple[Batch, str, str]) -> tuple[tuple[str, int], ...]:
    """The maps that a batch needs; batches that need the same go to the same worker."""
    batch = task[0]
    return tuple(sorted({map_key(batch.experiment, seed) for seed in batch.seeds}))


def render_batch(task: tuple[Batch, str, str]) -> dict[str, Any]:
    """Draw a batch and write its files in every format; its rows of all tables, and its part of the summary."""
    batch, name, folder = task
    settings = batch.experiment
    writers = [WRITERS[kind](Path(folder), name, settings) for kind in settings.render.format]
    summary, shown = Summary(), shown_scenes(settings.render.scenes)
    small = []
    for frame in draw_frames(settings, batch.scenes, batch.seeds, batch.cell):
        for writer in writers:
            writer.add(frame)
        summary.add(frame)
        if frame.scene in shown and frame.index == frame.camera == 0:
            small.append(thumbnails(frame))
    tables: dict[str, Any] = {}
    for writer in writers:
        tables |= writer.close()
    log_memory(Path(folder), "worker")
    return tables | {"summary": summary.row(), "thumbnails": small}
