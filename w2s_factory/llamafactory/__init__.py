"""Everything that knows LLaMA-Factory: versions, dataset_info, configs, vanilla template, launch."""
